//go:build !linux

package main

import (
	"context"
	"fmt"
)

// names needs Linux.
func (b *bench) names(context.Context) error {
	return fmt.Errorf("%w: the name service, which needs network namespaces", errLeftOut)
}
