use std::fs;

use super::*;
use crate::report::announcement::example;

fn read(name: &str, source: &str) -> Result<Template, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, source).unwrap();
    fs::write(folder.path().join("other.md"), "other").unwrap();
    Template::read(&path).map_err(|why| why.replace(&format!("{}/", folder.path().display()), ""))
}

fn refused(source: &str) -> String {
    read("post.md", source).unwrap_err()
}

#[test]
fn a_templates_name_says_what_it_makes() {
    let of = |name: &str| Form::of(Path::new(name));
    assert_eq!([of("a.md"), of("b/POST.md.j2"), of("a.md.jinja")], [Some(Form::Markdown); 3]);
    assert_eq!([of("a.txt"), of("a.txt.j2")], [Some(Form::Text); 2]);
    assert_eq!([of("a.html"), of("post"), of("post.j2"), of("md")], [None; 4]);
    assert!(read("post.html", "x").unwrap_err().contains("name ends in .md or .txt"));
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    assert_eq!(refused("# Post\n{% if %}\n").lines().count(), 2);
    assert!(
        refused("# Post\n{% if %}\n").starts_with("post.md:2: syntax error: "),
        "{}",
        refused("# Post\n{% if %}\n")
    );
    let unknown = refused("# Post\n\nOn {{ todya }}.\n");
    assert_eq!(unknown, "post.md:3: undefined value: `todya` is undefined\n    On {{ todya }}.");
    let unknown = refused("{% for head in heads %}\n{{ head.nmae }}\n{% endfor %}");
    assert!(unknown.starts_with("post.md:2: ") && unknown.contains("`head.nmae` is undefined"), "{unknown}");
    // Also in a part that the first of the examples leaves out.
    let unknown = refused("\n{% if all_done %}\n{{ thanks }}\n{% endif %}");
    assert!(unknown.starts_with("post.md:3: "), "{unknown}");
    assert!(refused("{{ title|shout }}").starts_with("post.md:1: "), "{}", refused("{{ title|shout }}"));
    let folder = tempfile::tempdir().unwrap();
    assert!(Template::read(&folder.path().join("none.md")).unwrap_err().contains("cannot be read"));
    fs::write(folder.path().join("post.md"), b"one\ntwo \xff").unwrap();
    let told = Template::read(&folder.path().join("post.md")).unwrap_err();
    assert!(told.ends_with("post.md:2: is no text in UTF-8"), "{told}");
    fs::write(folder.path().join("post.md"), vec![b' '; 33 << 10]).unwrap();
    assert!(Template::read(&folder.path().join("post.md")).unwrap_err().contains("larger than 32 KiB"));
}

#[test]
fn a_template_reads_no_file_and_ends() {
    for source in ["{% include 'other.md' %}", "{% extends 'other.md' %}", "{% import 'other.md' as other %}"] {
        assert!(refused(source).starts_with("post.md:1: "), "{}", refused(source));
    }
    let forever = "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}";
    assert!(refused(forever).contains("fuel"), "{}", refused(forever));
}

#[test]
fn what_is_nested_does_not_end_the_program() {
    let most = SIZE_MAX as usize - 64;
    let long =
        |first: &str, part: &str, last: &str| format!("{{{{ {first}{}{last} }}}}", part.repeat(most / part.len()));
    for part in ["-", "not ", "1+"] {
        assert!(read("post.md", &long("", part, "1")).is_ok(), "{part}");
    }
    for (first, part) in [("title", ".a"), ("title", "()"), ("1", "|e"), ("", "(")] {
        assert!(refused(&long(first, part, "")).starts_with("post.md:1: "), "{part}");
    }
    for endless in [
        "{% set n = namespace() %}{% set n.x = n %}{{ n }}",
        "{% set n = namespace(x=1) %}{% for i in range(90000) %}{% set n.x = [n.x] %}{% endfor %}",
    ] {
        assert!(refused(endless).contains("namespace"), "{}", refused(endless));
    }
}

#[test]
fn what_a_scenario_says_is_no_markup() {
    let mut post = example::all().swap_remove(0);
    post.title = "**Bold** <script> [x](http://a.b) @all\n# A heading".to_owned();
    post.heads[0].name = "_head_ | `1`".to_owned();
    let source = "{{ title }} {{ title|upper }} {{ title ~ '' }} {{ heads[0].name }} {{ heads|map(attribute='name')|join(', ') }}\n";
    let markdown = read("post.md", source).unwrap().render(&post).unwrap();
    for markup in ["**B", "<", " [x", "@all", "://", " _head", "|", " `1", "\n#"] {
        assert!(!markdown.contains(markup), "{markup} in {markdown}");
    }
    let built_in = Template::built_in(Form::Markdown).render(&post).unwrap();
    assert!(built_in.starts_with("# \\*\\*Bold\\*\\* &lt;script&gt;"), "{built_in}");
    for way in ["{{ title|safe }}", "{{ title|e }}", "{{ title|escape }}"] {
        assert!(refused(way).contains("unknown filter"), "{}", refused(way));
    }
    // In a text nothing begins a line of its own.
    let text = read("post.txt", "{{ title }}\n").unwrap().render(&post).unwrap();
    assert_eq!(text, "**Bold** <script> [x](http://a.b) @all # A heading\n");
}

#[test]
fn lines_of_a_text_are_broken_and_parts_left_out_leave_no_hole() {
    let long = "word ".repeat(40);
    let source = format!("\n\none\n\n{{% if false %}}\nno\n{{% endif %}}\n\n- {long}\ntwo  \n\n");
    let text = read("post.txt", &source).unwrap().render(&example::all()[0]).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH && line == line.trim_end()), "{text}");
    assert!(text.starts_with("one\n\n- word word") && text.contains("\n  word") && text.ends_with("\ntwo\n"), "{text}");
}
