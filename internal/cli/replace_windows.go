package cli

// replaceBy runs the other program in place of this one.
func replaceBy(path string, argv []string, p Process) (int, error) { return child(path, argv, p) }
