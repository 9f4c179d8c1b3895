//! What the guardian and its shims are told, and what they say: frames from any bytes in any portions.

use std::io::Write as _;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use super::input::Input;
use crate::guardian::protocol::{Event, Order};
use crate::guardian::wire::{Frame, Got, Inbox};

/// The frames do not depend on how the bytes arrive; what can be read of one is written and read again as the same.
pub(super) fn protocol(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let portions = input.portions();
    let whole = portions.concat();
    let (frames, sound) = received(&[&whole]);
    assert_eq!(received(&portions), (frames.clone(), sound), "in portions");
    let length: usize = frames.iter().map(|frame| frame.to_bytes().len()).sum();
    assert!(length <= whole.len(), "more was read than sent");
    frames.iter().for_each(comes_back);
    assert_eq!(received(&[&frames.iter().flat_map(Frame::to_bytes).collect::<Vec<_>>()]), (frames, true));
}

fn comes_back(frame: &Frame) {
    if let Some(order) = Order::from_frame(frame) {
        assert_eq!(Order::from_frame(&order.to_frame(frame.id)), Some(order));
    }
    if let Some(event) = Event::from_frame(frame) {
        assert_eq!(Event::from_frame(&event.to_frame(frame.id)), Some(event));
    }
}

/// The frames that arrive when these portions are sent, and whether all of them were such.
fn received(portions: &[&[u8]]) -> (Vec<Frame>, bool) {
    let (mut one, other) = UnixStream::pair().expect("a pair");
    let (mut inbox, mut frames) = (Inbox::default(), Vec::new());
    for portion in portions.iter().filter(|portion| !portion.is_empty()) {
        one.write_all(portion).expect("it fits into the buffer of the socket");
        while inbox.fill(&other).expect("readable") == Got::Some {}
        if !take_all(&mut inbox, &mut frames) {
            return (frames, false);
        }
    }
    one.shutdown(Shutdown::Write).expect("open until now");
    assert_eq!(inbox.fill(&other).expect("readable"), Got::End);
    (frames, true)
}

fn take_all(inbox: &mut Inbox, frames: &mut Vec<Frame>) -> bool {
    loop {
        match inbox.take() {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}
