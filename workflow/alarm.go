package workflow

import (
	"container/heap"
	"time"
)

// alarms are the moments at which requests owe something more. Their zero value is not ready; see newAlarms.
type alarms struct {
	queue alarmQueue
	first map[Number]alarm // the earliest of a request
}

type alarm struct {
	at     time.Time
	number Number
	effect uint64 // zero where it is not known which
}

func newAlarms() alarms { return alarms{first: map[Number]alarm{}} }

// set notes when a request owes something more. What is noted of it for later is found again when it is read then.
func (a *alarms) set(next alarm) {
	if first, ok := a.first[next.number]; ok && !next.at.Before(first.at) {
		return
	}
	a.first[next.number] = next
	heap.Push(&a.queue, next)
}

// settle takes back the alarm of a request for an effect that it no longer owes. The request may be older than what set the
// alarm: of a turn before its own it owes what it has, and never anything new.
func (a *alarms) settle(req Request) {
	first, ok := a.first[req.Number]
	if !ok || first.effect == 0 || (Effect{ID: first.effect}).Turn() >= req.Seq {
		return
	}
	if _, owed := req.Effect(first.effect); !owed {
		delete(a.first, req.Number)
	}
}

// next is the earliest alarm; zero if there is none.
func (a *alarms) next() time.Time {
	if len(a.queue) == 0 {
		return time.Time{}
	}
	return a.queue[0].at
}

// ring takes the requests whose alarm is not after now.
func (a *alarms) ring(now time.Time) []Number {
	var due []Number
	for len(a.queue) > 0 && !a.queue[0].at.After(now) {
		top := heap.Pop(&a.queue).(alarm)
		if first, ok := a.first[top.number]; ok && first.at.Equal(top.at) { // else an earlier one has rung, or it was taken back
			delete(a.first, top.number)
			due = append(due, top.number)
		}
	}
	return due
}

// alarmQueue is a heap.Interface.
type alarmQueue []alarm

func (q alarmQueue) Len() int           { return len(q) }
func (q alarmQueue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q alarmQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *alarmQueue) Push(x any) { *q = append(*q, x.(alarm)) }

// Pop implements heap.Interface.
func (q *alarmQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}
