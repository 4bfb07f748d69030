package dataarts

import (
	"sync"
	"time"
)

// cache remembers what the cloud said for a while. The zero value remembers nothing; make one by newCache.
type cache[V any] struct {
	age  time.Duration
	most int

	mu   sync.Mutex
	rows map[string]remembered[V]
}

type remembered[V any] struct {
	until time.Time
	value V
}

func newCache[V any](age time.Duration, most int) *cache[V] {
	return &cache[V]{age: age, most: most, rows: map[string]remembered[V]{}}
}

func (c *cache[V]) get(key string) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.rows[key]
	if !ok || time.Now().After(r.until) {
		var none V
		return none, false
	}
	return r.value, true
}

func (c *cache[V]) put(key string, v V) { c.putFor(key, v, c.age) }

// putFor forgets everything once there is too much: what is asked for again is soon back.
func (c *cache[V]) putFor(key string, v V, age time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.rows) >= c.most {
		clear(c.rows)
	}
	c.rows[key] = remembered[V]{time.Now().Add(age), v}
}
