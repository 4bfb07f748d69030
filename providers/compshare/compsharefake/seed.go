package compsharefake

import "fmt"

// The key pair of the seed's owner, company 50001. It is made to be found by a search for leaks.
const (
	PublicKey  = "PUBKEY-FAKE-MUSTNOTLEAK-50001"
	PrivateKey = "PRIVKEY-FAKE-MUSTNOTLEAK-50001"
)

// KeyPair is the key pair of a company of the seed; that of 50001 is [PublicKey] and [PrivateKey].
func KeyPair(company uint32) (publicKey, privateKey string) {
	return fmt.Sprintf("PUBKEY-FAKE-MUSTNOTLEAK-%d", company), fmt.Sprintf("PRIVKEY-FAKE-MUSTNOTLEAK-%d", company)
}

// DefaultSeed is a small company. 50001 owns the teams 1001 "gpu-research" and 1002 "inference", and was invited to
// 2001 "llm-platform" of 50010. In 1001, 50003 has joined, 50004 is invited and 50005 has declined. 50002 and 50006
// are companies of their own, not yet invited; 50009 is not real-name verified.
func DefaultSeed() *State {
	const day = 24 * 60 * 60
	const since = 1795200000 // 2026-11-20T18:40:00Z
	st := &State{
		Teams: []Team{
			{ID: 1001, Owner: 50001, Name: "gpu-research", Description: "shared A800 pool"},
			{ID: 1002, Owner: 50001, Name: "inference"},
			{ID: 2001, Owner: 50010, Name: "llm-platform"},
			{ID: 9001, Owner: 50009, Name: "unverified"},
		},
		Relations: []Relation{
			{Team: 1001, Company: 50003, Virtual: 60001, Status: Joined, Remark: "陈静", Created: since, Sent: 1},
			{Team: 1001, Company: 50004, Status: Pending, Remark: "赵磊", Created: since + day, Sent: 1},
			{Team: 1001, Company: 50005, Status: Rejected, Remark: "vision lab", Created: since - 9*day, Sent: 2},
			{Team: 2001, Company: 50001, Status: Pending, Remark: "gpu-research", Created: since + day/2, Sent: 1},
		},
		LastTeam: 9001, LastVirtual: 60001,
	}
	for _, company := range []uint32{50001, 50002, 50003, 50004, 50005, 50006, 50009, 50010} {
		pub, priv := KeyPair(company)
		st.Accounts = append(st.Accounts, Account{
			PublicKey: pub, PrivateKey: priv, Company: company, Unverified: company == 50009,
		})
	}
	return st
}
