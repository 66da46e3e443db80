//! The demo's output.
//!
//! One column for the time, one for the source, one for the text; colour only where there is a terminal.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use repoint_sandbox::Millis;

/// How wide the column of words is.
const WORDS: usize = 80;

/// How a piece of text is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Strong,
    Good,
    Notice,
    Bad,
    Faint,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Notice => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Faint => Style::new().dimmed(),
        }
    }
}

/// Text in a tone.
pub fn paint(tone: Tone, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let style = tone.style();
    format!("{style}{text}{style:#}")
}

/// Text in a tone, and as wide as its column.
pub fn cell(tone: Tone, text: &str, width: usize) -> String {
    let rest = width.saturating_sub(text.chars().count());
    format!("{}{:rest$}", paint(tone, text), "")
}

/// In lines that fit.
fn wrapped(words: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words.split(' ') {
        let length = lines.last().map_or(0, |line| line.chars().count());
        match lines.last_mut() {
            Some(line) if length == 0 => line.push_str(word),
            Some(line) if length + 1 + word.chars().count() <= WORDS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The source of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    Operator,
    Cluster,
    Aws,
    Repoint,
    Sns,
}

impl Voice {
    fn name(self) -> (&'static str, Style) {
        match self {
            Self::Operator => ("you", AnsiColor::Magenta.on_default()),
            Self::Cluster => ("cluster", AnsiColor::Blue.on_default()),
            Self::Aws => ("aws", AnsiColor::Yellow.on_default()),
            Self::Repoint => ("repoint", AnsiColor::Green.on_default()),
            Self::Sns => ("sns", AnsiColor::Cyan.on_default()),
        }
    }
}

/// Standard output. A closed pipe does not stop the scenario.
pub struct Page {
    out: anstream::AutoStream<std::io::Stdout>,
}

impl Page {
    pub fn new() -> Self {
        Self { out: anstream::stdout() }
    }

    pub fn line(&mut self, text: &str) {
        drop(writeln!(self.out, "{text}"));
    }

    pub fn step(&mut self, number: usize, title: &str, explanation: &str) {
        self.line("");
        self.line(&format!("{}  {}", paint(Tone::Strong, &number.to_string()), paint(Tone::Strong, title)));
        for line in explanation.lines() {
            self.line(&format!("   {}", paint(Tone::Faint, line)));
        }
        self.line("");
    }

    pub fn says(&mut self, at: Millis, voice: Voice, tone: Tone, words: &str) {
        let (name, style) = voice.name();
        let time = paint(Tone::Faint, &format!("{:>4}.{:02} s", at / 1000, at % 1000 / 10));
        let mut lines = wrapped(words).into_iter().map(|line| paint(tone, &line));
        let first = lines.next().unwrap_or_default();
        self.line(&format!(" {time}  {style}{name:7}{style:#}  {first}"));
        for line in lines {
            self.line(&format!("{:21}{line}", ""));
        }
    }

    pub fn wrong(&mut self, sentences: &[String]) {
        self.line("");
        for sentence in sentences {
            self.line(&format!("{} {sentence}", paint(Tone::Bad, "wrong:")));
        }
    }

    pub fn interrupted(&mut self) {
        self.line("");
        self.line(&paint(Tone::Faint, "interrupted: the sandbox was removed"));
    }
}
