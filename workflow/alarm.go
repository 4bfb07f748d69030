package workflow

import (
	"container/heap"
	"time"
)

// alarms are the moments at which requests owe something more. Their zero value is not ready; see newAlarms.
type alarms struct {
	queue alarmQueue
	first map[Number]time.Time // the earliest of a request
}

type alarm struct {
	at     time.Time
	number Number
}

func newAlarms() alarms { return alarms{first: map[Number]time.Time{}} }

// set notes when a request owes something more. What is noted of it for later is found again when it is read then.
func (a *alarms) set(n Number, at time.Time) {
	if first, ok := a.first[n]; ok && !at.Before(first) {
		return
	}
	a.first[n] = at
	heap.Push(&a.queue, alarm{at, n})
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
		if first, ok := a.first[top.number]; ok && first.Equal(top.at) { // else an earlier one has rung
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
