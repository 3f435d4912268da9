//! Makes pictures of large graphs on a thread of its own, so that neither a key nor a frame waits for one.
//!
//! One at a time; when one is wanted is left to `pictures`, how it is made to `scene`.

use crate::{Arranged, Scene};
use std::{
    io,
    sync::mpsc::{SyncSender, sync_channel},
    thread::{JoinHandle, panicking},
};

/// Makes pictures until it is dropped.
#[derive(Debug)]
pub(crate) struct Arranger {
    /// Closing this end ends the thread.
    scenes: Option<SyncSender<(u64, Box<Scene>)>>,
    thread: Option<JoinHandle<()>>,
}

impl Arranger {
    /// Each picture goes to `made`, with the number it was asked for under.
    pub(crate) fn start(made: impl Fn(u64, Arranged) + Send + 'static) -> io::Result<Self> {
        let (sender, scenes) = sync_channel::<(u64, Box<Scene>)>(1);
        let work = move || {
            for (request, scene) in &scenes {
                made(request, scene.arranged());
            }
        };
        let thread = std::thread::Builder::new().name("pictures".to_owned()).spawn(work)?;
        Ok(Self { scenes: Some(sender), thread: Some(thread) })
    }

    /// Asks for one; the one before has come back.
    ///
    /// # Panics
    /// When the thread broke down.
    pub(crate) fn arrange(&mut self, request: u64, scene: Box<Scene>) {
        let sent = self.scenes.as_ref().map(|scenes| scenes.send((request, scene)));
        if !matches!(sent, Some(Ok(()))) {
            self.end();
        }
    }

    /// Waits for the thread.
    ///
    /// # Panics
    /// When that broke down: then the screen does so too, and is started again.
    pub(crate) fn end(&mut self) {
        drop(self.scenes.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(!matches!(ended, Some(Err(_))) || panicking(), "a picture could not be made");
    }
}

impl Drop for Arranger {
    fn drop(&mut self) {
        self.end();
    }
}
