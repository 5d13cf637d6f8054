//go:build !linux

package links

// tell says that the system does not tell of changes here.
func tell() (told <-chan struct{}, end func()) { return nil, func() {} }
