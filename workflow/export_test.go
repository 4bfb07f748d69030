package workflow

// Remembered is how much the runner keeps in memory of single effects.
func (r *Runner) Remembered() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.known) + len(r.tried) + len(r.lanes) + len(r.loud) + len(r.seen) + len(r.alarms.first) + len(r.paces)
}
