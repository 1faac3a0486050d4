//! One thread, as long-lived as the process, that starts all child processes.
//!
//! A child that asked to be killed with its parent (`PR_SET_PDEATHSIG`) is killed when the *thread* that started it
//! ends. Threads of tests and of asynchronous runtimes end early, so none of them may be that thread.

use std::{
    io,
    process::{Child, Command},
    sync::{LazyLock, mpsc},
    thread,
};

type Reply = mpsc::Sender<io::Result<Child>>;

static KEEPER: LazyLock<mpsc::Sender<(Command, Reply)>> = LazyLock::new(|| {
    let (orders, inbox) = mpsc::channel::<(Command, Reply)>();
    thread::spawn(move || {
        for (mut command, reply) in inbox {
            // Whoever ordered the child waits for it, unless that thread panicked: then nobody needs it.
            let _ = reply.send(command.spawn());
        }
    });
    orders
});

/// Starts a child from the keeper's thread; the caller owns it.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    let (reply, answer) = mpsc::channel();
    let gone = || io::Error::other("the thread that starts processes has ended");
    KEEPER.send((command, reply)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}
