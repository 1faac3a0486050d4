// Package xsync holds a lock that owns what it guards.
package xsync

import "sync"

// RWMutex guards a value of type T, which is only to be had while the lock is held.
type RWMutex[T any] struct {
	lock    sync.RWMutex
	guarded T
}

// NewRWMutex guards a value.
func NewRWMutex[T any](value T) RWMutex[T] {
	return RWMutex[T]{guarded: value}
}

// WLock waits for the value and lends it for writing, until WUnlock.
func (m *RWMutex[T]) WLock() *T {
	m.lock.Lock()
	return &m.guarded
}

// WUnlock gives the value back and forgets the borrower's pointer.
func (m *RWMutex[T]) WUnlock(borrowed **T) {
	*borrowed = nil
	m.lock.Unlock()
}
