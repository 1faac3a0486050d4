// Package basehash holds 128-bit identifiers.
package basehash

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// Size is the length of a Hash128 in bytes.
const Size = 16

// Hash128 is a 128-bit identifier, kept as two words so that it can be a map key.
type Hash128 struct {
	hi, lo uint64
}

// New128 makes an identifier of its upper and lower word.
func New128(hi, lo uint64) Hash128 {
	return Hash128{hi: hi, lo: lo}
}

// New128FromBytes reads an identifier of exactly Size bytes, upper word first, in network byte order.
func New128FromBytes(b []byte) (Hash128, error) {
	if len(b) != Size {
		return Hash128{}, fmt.Errorf("an identifier has %d bytes, this one %d", Size, len(b))
	}
	return New128(binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])), nil
}

// Bytes is the inverse of New128FromBytes.
func (h Hash128) Bytes() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, h.hi), h.lo)
}

// Base64 is the unpadded URL-safe form, which Elasticsearch documents use as their id.
func (h Hash128) Base64() string {
	return base64.RawURLEncoding.EncodeToString(h.Bytes())
}

// IsZero tells whether no identifier was ever set.
func (h Hash128) IsZero() bool {
	return h == Hash128{}
}
