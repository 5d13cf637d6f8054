//go:build !linux

package main

import (
	"context"
	"fmt"
)

// onLAN needs Linux.
func (b *bench) onLAN(context.Context) error {
	return fmt.Errorf("%w: smbd, smbclient and the default ports, which need network namespaces", errLeftOut)
}
