//! Templates of posts: a built-in one for Markdown and one for text, and those that a user puts in their place.
//!
//! A template sees what is announced and nothing else: it cannot read a file, include another template or run for long. What a
//! scenario says is text in the post and never markup, whatever the template.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::thread;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, Value};

use super::Announcement;
use crate::report::markdown::escaped;
use crate::report::wording::{shown, wrap};

/// A post longer than a letter is none.
const SIZE_MAX: u64 = 32 << 10;
/// What is nested in a template is read, run and dropped by functions that call themselves: so much of a stack is enough for as deep
/// as `SIZE_MAX` can nest. Memory is taken only as far as it is needed.
const STACK: usize = 256 << 20;
/// Instructions of a template's program. The built-in ones take some hundreds.
const STEPS_MAX: u64 = 1_000_000;
/// Columns of a text.
const WIDTH: usize = 78;

/// What a post is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For web pages and code hosts.
    Markdown,
    /// For mail: no line is longer than 78 characters that has a space to break it at.
    Text,
}

impl Form {
    /// The form that a template is for, by its name: `post.md`, `post.txt`, and either with `.j2` or `.jinja` behind it.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let name = [".j2", ".jinja"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "md" => Some(Self::Markdown),
            "txt" => Some(Self::Text),
            _ => None,
        }
    }

    const fn built_in(self) -> (&'static str, &'static str) {
        match self {
            Self::Markdown => ("the built-in template", include_str!("post.md.j2")),
            Self::Text => ("the built-in template", include_str!("post.txt.j2")),
        }
    }
}

/// A template that has been read.
#[derive(Clone, Debug)]
pub struct Template {
    form: Form,
    /// As messages name it.
    name: String,
    source: String,
}

impl Template {
    /// The one that is used where the user gives none.
    #[must_use]
    pub fn built_in(form: Form) -> Self {
        let (name, source) = form.built_in();
        Self { form, name: name.to_owned(), source: source.to_owned() }
    }

    /// Reads one, and tries it on posts of several kinds, so that what is wrong with it is said before anything is simulated.
    ///
    /// # Errors
    /// When it cannot be read or its name has another ending; when its syntax is wrong or it asks for what no post has, with the
    /// line.
    pub fn read(path: &Path) -> Result<Self, String> {
        let name = path.display().to_string();
        let form = Form::of(path).ok_or_else(|| {
            format!("{name}: a template's name ends in .md or .txt, or in .md.j2 or .txt.j2: it says what it makes")
        })?;
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(SIZE_MAX + 1).read_to_end(&mut bytes));
        read.map_err(|error| format!("{name}: cannot be read: {error}"))?;
        if bytes.len() as u64 > SIZE_MAX {
            return Err(format!("{name}: is larger than 32 KiB"));
        }
        let source = String::from_utf8(bytes).map_err(|error| {
            let line = error.as_bytes()[..error.utf8_error().valid_up_to()].split(|one| *one == b'\n').count();
            format!("{name}:{line}: is no text in UTF-8")
        })?;
        let template = Self { form, name, source };
        super::example::all().iter().try_for_each(|post| template.render(post).map(drop))?;
        Ok(template)
    }

    /// What it makes.
    #[must_use]
    pub const fn form(&self) -> Form {
        self.form
    }

    /// The post.
    ///
    /// # Errors
    /// As `read`.
    pub fn render(&self, post: &Announcement) -> Result<String, String> {
        let rendered = thread::scope(|scope| {
            let started = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || self.filled(post));
            let started = started.map_err(|error| format!("{}: no thread for it: {error}", self.name))?;
            started.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        let lines = rendered.trim_matches('\n').lines().map(str::trim_end);
        let mut text = String::with_capacity(rendered.len() + 1);
        let mut gap = false;
        for line in lines {
            // A part that is left out leaves no hole.
            if gap && line.is_empty() {
                continue;
            }
            gap = line.is_empty();
            match self.form {
                Form::Markdown => text.push_str(line),
                Form::Text => text.push_str(&wrapped(line)),
            }
            text.push('\n');
        }
        Ok(text)
    }

    /// What the template makes of the post, line by line as it stands there.
    fn filled(&self, post: &Announcement) -> Result<String, String> {
        environment(self.form)
            .template_from_named_str(&self.name, &self.source)
            .and_then(|template| template.render(Value::from(Serde(post))))
            .map_err(|error| self.told(&error))
    }

    /// `post.md:12: ...`, with the line.
    fn told(&self, error: &Error) -> String {
        let mut told = self.name.clone();
        let line = error.line();
        // Writing to a string cannot fail.
        let _ = line.map(|line| write!(told, ":{line}"));
        let _ = write!(told, ": {}", error.kind());
        let _ = error.detail().map(|detail| write!(told, ": {}", shown(detail)));
        if let Some(source) = line.and_then(|line| self.source.lines().nth(line.saturating_sub(1))) {
            let _ = write!(told, "\n    {}", shown(source).trim());
        }
        told
    }
}

fn environment(form: Form) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // For messages that name what is undefined.
    environment.set_debug(true);
    environment.set_fuel(Some(STEPS_MAX));
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.unwrap_or_default());
    // Whatever a template prints is escaped by the formatter, whatever the template's name; nothing gets around it.
    for filter in ["safe", "escape", "e"] {
        environment.remove_filter(filter);
    }
    // What holds itself has no end when it is printed, and what a loop puts into itself is nested as deep as there are steps.
    environment.remove_global("namespace");
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(move |out, _, value| {
        // An `if` without its `else` says nothing; what nobody knows has been refused before.
        let text = if value.is_none() || value.is_undefined() { String::new() } else { value.to_string() };
        let text = match form {
            Form::Markdown => escaped(&text),
            Form::Text => shown(&text),
        };
        Ok(out.write_str(&text)?)
    });
    environment
}

/// A line that is too long, in several; what belongs to a list stays below it.
fn wrapped(line: &str) -> String {
    if line.chars().count() <= WIDTH {
        return line.to_owned();
    }
    let body = line.trim_start_matches([' ', '-', '*']);
    let mark = &line[..line.len() - body.len()];
    let indent = " ".repeat(mark.chars().count());
    let lines = wrap(body, WIDTH.saturating_sub(indent.len()).max(20));
    format!("{mark}{}", lines.join(&format!("\n{indent}")))
}

#[cfg(test)]
mod tests;
