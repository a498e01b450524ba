//! FlexNet's errors in words. Pure.

use crate::model::flexnet::FlexNetError;

/// The errors that a token server can have, in words.
/// Source for the meanings: Revenera, License Administration Guide, "Error Code Descriptions".
pub const MEANINGS: [(i32, &str); 30] = [
    (-1, "there is no license file"),
    (-2, "a line of the license file is not valid"),
    (-5, "the license has no such feature"),
    (-7, "the daemon does not accept the connection"),
    (-8, "a signature does not fit its line, so the license file was changed"),
    (-9, "the hostid of this machine is not the one in the license"),
    (-10, "the license has expired"),
    (-11, "a date in the license file is not valid"),
    (-12, "the answer is not valid"),
    (-13, "the license file has no SERVER line"),
    (-14, "the host name on the SERVER line does not resolve on this machine"),
    (-15, "it does not accept connections"),
    (-16, "the connection broke before the answer"),
    (-17, "the connection broke before the question"),
    (-18, "the license server does not have this feature"),
    (-25, "the license server does not have this version of the feature"),
    (-30, "the license file may not be read"),
    (-31, "the license is not valid yet"),
    (-34, "the clocks of the two machines differ too much"),
    (-40, "there is not enough memory"),
    (-52, "the vendor daemon did not answer in time"),
    (-57, "this machine gave lmstat no socket"),
    (-62, "this machine has no TCP/IP"),
    (-88, "the clock of this machine was set back"),
    (-89, "the license does not allow this platform"),
    (-92, "the hostid on the SERVER line is not this machine's, or the feature was removed"),
    (-95, "the SERVER line names this_host, and the connection to that failed"),
    (-96, "the host name on the SERVER line does not lead to a machine that answers"),
    (-97, "it does not run"),
    (-106, "it has no free connection"),
];

/// The meaning of an error, and its number: `it does not run, FlexNet error -97`.
pub fn in_words(error: FlexNetError) -> String {
    let meaning = MEANINGS.iter().find(|(number, _)| *number == error.number());
    match meaning {
        Some((_, meaning)) => format!("{meaning}, FlexNet error {error}"),
        None => format!("FlexNet error {error}"),
    }
}
