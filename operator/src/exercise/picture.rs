//! The timeline of an exercise as a picture, for a ticket.

use svg::Document;
use svg::node::element::{Rectangle, Text};

use super::leg::{Row, Verdict};
use super::result::{Exercise, Outcome, seconds};

/// All lengths are in pixels.
const WIDTH: u64 = 960;
const LABELS: u64 = 230;
const TIMES: u64 = 130;
const MARGIN: u64 = 16;
const ROW: u64 = 24;
const HEADER: u64 = 64;
const TITLE: u64 = 40;

/// The picture, as SVG. Each moment is a bar that begins at the moment from which its time counts.
pub fn picture(exercise: &Exercise) -> String {
    let heights = exercise.legs.iter().map(|leg| leg.rows().iter().map(|_| ROW).sum::<u64>() + TITLE);
    let height = HEADER + heights.sum::<u64>() + MARGIN;
    let verdict = match exercise.result {
        Outcome::Held => "all of it held",
        Outcome::NotHeld => "NOT all of it held",
    };
    let heading = format!("Exercise of {}: {verdict}, in {}", exercise.token_server, seconds(exercise.duration_ms));
    let began = exercise.started_at.format("%Y-%m-%d %H:%M:%S UTC");
    let mut document = Document::new()
        .set("width", WIDTH)
        .set("height", height)
        .set("viewBox", (0, 0, WIDTH, height))
        .set("font-family", "sans-serif")
        .set("font-size", 13)
        .add(Rectangle::new().set("width", WIDTH).set("height", height).set("fill", "#ffffff"))
        .add(label(MARGIN, 26, heading).set("font-size", 17).set("font-weight", "bold"))
        .add(label(MARGIN, 48, format!("{}, {began}", exercise.network_interface_id)).set("fill", "#555555"));
    let mut y = HEADER;
    for (position, leg) in exercise.legs.iter().enumerate() {
        document = document.add(label(MARGIN, y + 26, leg.heading(position)).set("font-weight", "bold"));
        y += TITLE;
        let rows = leg.rows();
        let longest = rows.iter().filter_map(|row| row.at_ms).max().unwrap_or_default().max(1);
        for row in &rows {
            document = line(document, y, row, longest);
            y += ROW;
        }
    }
    format!("{document}\n")
}

fn label(x: u64, y: u64, text: impl Into<String>) -> Text {
    Text::new(text).set("x", x).set("y", y)
}

/// The line of one moment: its name, its bar and its time.
fn line(document: Document, y: u64, row: &Row, longest: u64) -> Document {
    let room = WIDTH - LABELS - TIMES - MARGIN;
    let place = |milliseconds: u64| LABELS + milliseconds.saturating_mul(room) / longest;
    let color = match row.result {
        Verdict::Held => "#2e7d32",
        Verdict::Late => "#e65100",
        Verdict::Missing => "#b71c1c",
        Verdict::NotChecked => "#757575",
    };
    let time = match (row.result, row.at_ms) {
        (Verdict::Held, Some(at)) => seconds(at),
        (Verdict::Late, Some(at)) => format!("{}, late", seconds(at)),
        (Verdict::NotChecked, _) => "not checked".to_owned(),
        (Verdict::Missing, _) | (Verdict::Held | Verdict::Late, None) => "missing".to_owned(),
    };
    let document = document
        .add(label(MARGIN, y + 16, row.moment.words()))
        .add(label(WIDTH - TIMES, y + 16, time).set("fill", color));
    let Some(at) = row.at_ms else { return document };
    let began = place(at.saturating_sub(row.took_ms.unwrap_or_default()));
    let width = place(at).saturating_sub(began).max(2);
    let bar = Rectangle::new().set("x", began).set("y", y + 4).set("width", width).set("height", 14);
    document.add(bar.set("rx", 2).set("fill", color))
}
