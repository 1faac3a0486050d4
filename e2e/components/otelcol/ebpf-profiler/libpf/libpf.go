// Package libpf holds the identifiers of executables and stack frames.
package libpf

import (
	"encoding/hex"
	"fmt"

	"go.opentelemetry.io/ebpf-profiler/libpf/basehash"
)

// AddressOrLineno is an address in native code, or a line number in interpreted code.
type AddressOrLineno uint64

// FileID identifies an executable.
type FileID struct {
	basehash.Hash128
}

// NewFileID makes an identifier of its upper and lower word.
func NewFileID(hi, lo uint64) FileID {
	return FileID{basehash.New128(hi, lo)}
}

// FileIDFromBytes reads an identifier of 16 bytes.
func FileIDFromBytes(b []byte) (FileID, error) {
	hash, err := basehash.New128FromBytes(b)
	if err != nil {
		return FileID{}, fmt.Errorf("reading a file identifier: %w", err)
	}
	return FileID{hash}, nil
}

// FileIDFromString reads an identifier of 32 hexadecimal digits.
func FileIDFromString(s string) (FileID, error) {
	b, err := hex.DecodeString(s)
	if err != nil {
		return FileID{}, fmt.Errorf("reading the file identifier %q: %w", s, err)
	}
	return FileIDFromBytes(b)
}

// FrameType says which runtime a stack frame belongs to.
type FrameType uint8

const (
	frameUnknown FrameType = 0
	// The upper bit marks frames that could not be unwound.
	frameError FrameType = 0x80
)

// The runtimes' names are those of the OpenTelemetry attribute `profile.frame.type`.
var frameTypes = map[string]FrameType{
	"cpython":      1,
	"php":          2,
	"native":       3,
	"kernel":       4,
	"jvm":          5,
	"ruby":         6,
	"perl":         7,
	"v8js":         8,
	"php-jit":      9,
	"dotnet":       10,
	"beam":         11,
	"go":           12,
	"abort-marker": 0xff,
}

// FrameTypeFromString looks a runtime up by its name; an unknown name is the unknown runtime.
func FrameTypeFromString(name string) FrameType {
	if t, found := frameTypes[name]; found {
		return t
	}
	return frameUnknown
}

// IsError tells whether the frame stands for a failure to unwind.
func (t FrameType) IsError() bool {
	return t&frameError != 0
}
