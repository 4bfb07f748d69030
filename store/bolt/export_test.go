package bolt

// CloseFile closes the file under bbolt's feet: the next write fails like that of a disk that has gone.
func (d *DB) CloseFile() error { return d.file.Close() }

// SidecarPath is where the commit counter of a database is.
var SidecarPath = sidecarPath

// Initialise makes a database with pages of a given size at path, which is not yet there.
var Initialise = initialise
