package workflow

import "time"

// ClaimTime is how long somebody's word that they look at a request stands.
const ClaimTime = time.Hour

// Claimed is that an approver has said that they look at a request, so that others need not. It binds nobody.
type Claimed struct {
	By Person    `json:"by"`
	At time.Time `json:"at"`
}

// ClaimedAt is who looks at a pending request at a time; nil is nobody, or nobody any more.
func (r Request) ClaimedAt(now time.Time) *Claimed {
	if r.State != Pending || r.Claim == nil || !now.Before(r.Claim.At.Add(ClaimTime)) {
		return nil
	}
	return r.Claim
}

// claim says that an approver looks at the request, or, said again by the same person, that they no longer do.
func claim(s *step) *Refusal {
	if c := s.r.ClaimedAt(s.now); c != nil && c.By == s.c.Actor.Person {
		s.r.Claim = nil
		s.turn(Pending, "released")
		s.drop(FadeEffect)
		s.owe(CardEffect, s.now)
		return nil
	}
	s.r.Claim = &Claimed{By: s.c.Actor.Person, At: s.now}
	s.turn(Pending, "")
	s.owe(CardEffect, s.now)
	s.owe(FadeEffect, s.now.Add(ClaimTime))
	return nil
}

// fade brings the card up to date when a claim has run out.
func fade(s *step) *Refusal {
	if e, ok := s.r.Effect(s.c.Effect); !ok || e.Kind != FadeEffect {
		return Refuse(WrongState, string(s.r.State))
	}
	s.finish(s.c.Effect)
	if s.r.State == Pending && s.r.ClaimedAt(s.now) == nil {
		s.r.Claim = nil
		s.turn(s.r.State, "the claim has run out")
		s.owe(CardEffect, s.now)
	}
	return nil
}
