//! Where a tailer in the test's own process prints to, when its reader is slow.

// Each test takes what it needs.
#![allow(dead_code)]

use std::cell::{Ref, RefCell};
use std::io::{self, Write};
use std::rc::Rc;

/// All that was printed, to this one or to a clone.
#[derive(Clone, Default)]
pub struct BlockingSink(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    printed: Vec<u8>,
    /// How many bytes it takes before it blocks; `None` when it takes all.
    room: Option<usize>,
    /// Where those bytes begin that were handed over together and were not taken as a whole yet.
    part: Option<usize>,
}

impl BlockingSink {
    pub fn printed(&self) -> Ref<'_, [u8]> {
        Ref::map(self.0.borrow(), |state| state.printed.as_slice())
    }

    pub fn set_room(&self, room: Option<usize>) {
        self.0.borrow_mut().room = room;
    }

    /// How much was printed without what was handed over last, if that was not taken as a whole.
    pub fn printed_whole(&self) -> usize {
        let state = self.0.borrow();
        state.part.unwrap_or(state.printed.len())
    }

    /// Forgets what was printed of what was handed over last, and takes everything from now on.
    pub fn drop_part(&self) {
        let whole = self.printed_whole();
        let mut state = self.0.borrow_mut();
        state.printed.truncate(whole);
        state.part = None;
        state.room = None;
    }
}

impl Write for BlockingSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.borrow_mut();
        let taken = state.room.map_or(bytes.len(), |room| room.min(bytes.len()));
        state.room = state.room.map(|room| room - taken);
        let begins = state.printed.len();
        state.part = if taken < bytes.len() {
            state.part.or(Some(begins))
        } else {
            None
        };
        state.printed.extend_from_slice(&bytes[..taken]);
        if taken == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
