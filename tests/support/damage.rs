//! Damages external input, each time from a seed. `FUZZ_INPUTS` sets a larger number of inputs of each kind.

use std::io::Write as _;

use crate::dice::Dice;

pub(crate) fn inputs(usual: u64) -> u64 {
    let asked = std::env::var("FUZZ_INPUTS").ok();
    asked.map_or(usual, |asked| asked.parse().expect("FUZZ_INPUTS is a number"))
}

pub(crate) fn print_figure(what: &str, tried: u64, understood: u64) {
    let line = format!("\nFuzzed: {tried} {what}, {understood} of them understood\n");
    // The test harness captures the output of `eprintln!`.
    std::io::stderr().write_all(line.as_bytes()).expect("standard error is open");
}

/// Damages a string in a few places: cuts, doubles, overwrites, or inserts a meaningful piece.
pub(crate) fn damage(dice: &mut Dice, text: &[u8], pieces: &[&str]) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..dice.between(1, 4) {
        let place =
            |dice: &mut Dice, text: &[u8]| usize::try_from(dice.below(text.len() as u64 + 1)).expect("an index");
        let at = place(dice, &text);
        let to = (at + place(dice, &text) % 12).min(text.len());
        match dice.below(6) {
            0 => drop(text.drain(at..to)),
            1 => {
                let doubled = text[at..to].to_vec();
                text.splice(at..at, doubled);
            }
            2 if at < text.len() => text[at] = u8::try_from(dice.below(256)).expect("a byte"),
            3 => drop(text.splice(at..to, dice.pick(pieces).bytes())),
            4 => drop(text.splice(at..at, dice.pick(pieces).bytes())),
            _ => text.truncate(text.len() - place(dice, &text) % 8),
        }
    }
    text
}
