//! The simulator over loopback, for built programs.

use std::sync::mpsc;
use std::thread;

use simulator::Simulator;

/// Serves the simulator on its own port until the tests end. Returns the address.
pub(crate) fn served(simulator: Simulator) -> String {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            sender.send(listener.local_addr().expect("an address")).expect("the caller waits");
            simulator.serve(listener).await.expect("the listener lives");
        });
    });
    receiver.recv().expect("an address").to_string()
}
