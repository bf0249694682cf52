//! The expected texts are those of Python's own `repr`.

use celeriac_broker::{Arg, Broker, Task, message::names};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What `argsrepr` and `kwargsrepr` show.
fn shown(args: impl Serialize, kwargs: impl Serialize) -> (String, String) {
    let (_, message) = Broker::memory().task_named("t", args, kwargs).build().unwrap();
    let header = |name| message.headers.text(name).unwrap().to_owned();
    (header(names::ARGSREPR), header(names::KWARGSREPR))
}

fn one(value: impl Serialize) -> String {
    let text = shown((value,), ()).0;
    text.strip_prefix('(').and_then(|text| text.strip_suffix(",)")).unwrap_or_else(|| panic!("{text}")).to_owned()
}

#[test]
fn tuples_and_dictionaries_look_as_python_writes_them() {
    assert_eq!(shown((), ()), ("()".into(), "{}".into()));
    assert_eq!(shown([0; 0], json!({})), ("()".into(), "{}".into()));
    assert_eq!(shown((2, 3), json!({"z": 4})), ("(2, 3)".into(), "{'z': 4}".into()));
    assert_eq!(shown((7,), ()).0, "(7,)");
    assert_eq!(shown(([1, 2],), ()).0, "([1, 2],)");
    assert_eq!(shown((json!([]), json!({})), ()).0, "([], {})");
    assert_eq!(one(json!({"a": [true, false, null, {"b": []}]})), "{'a': [True, False, None, {'b': []}]}");
}

#[test]
fn strings_are_quoted_and_escaped_as_python_does() {
    for (text, expected) in [
        ("it's", r#""it's""#),
        (r#"say "hi""#, r#"'say "hi"'"#),
        (r#"it's "it""#, r#"'it\'s "it"'"#),
        ("back\\slash", r"'back\\slash'"),
        ("a\nb\rc\td", r"'a\nb\rc\td'"),
        ("\0\u{1b}\u{7f}", r"'\x00\x1b\x7f'"),
        ("caf\u{e9} \u{1f600}", "'caf\u{e9} \u{1f600}'"),
        ("\u{a0}\u{ad}\u{2028}\u{200b}\u{3000}\u{feff}", r"'\xa0\xad\u2028\u200b\u3000\ufeff'"),
        ("\u{e000}\u{10ffff}\u{fffe}", r"'\ue000\U0010ffff\ufffe'"),
        ("[1, 2]: {\"x\": null}", "'[1, 2]: {\"x\": null}'"),
        ("", "''"),
    ] {
        assert_eq!(one(text), expected);
    }
}

#[test]
fn floats_have_pythons_digits_and_exponents() {
    for (number, expected) in [
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (0.1, "0.1"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e+16"),
        (1.5e300, "1.5e+300"),
        (1e-4, "0.0001"),
        (1e-5, "1e-05"),
        (1.25e-10, "1.25e-10"),
        (123_456.789, "123456.789"),
        (5e-324, "5e-324"),
    ] {
        assert_eq!(one(number), expected);
    }
}

#[test]
fn integers_keep_every_digit() {
    assert_eq!(one(u128::MAX), "340282366920938463463374607431768211455");
    assert_eq!(one(i64::MIN), "-9223372036854775808");
}

#[test]
fn long_texts_are_cut_at_1024_characters() {
    for args in [json!(["é".repeat(5000)]), json!(vec![1; 5000]), json!([vec!["[]"; 3000]])] {
        let text = shown(args, ()).0;
        assert_eq!(text.chars().count(), 1027);
        assert!(text.starts_with('(') && text.ends_with("..."), "{text}");
    }
    assert_eq!(one("x".repeat(1018)).len(), 1020, "1,024 with the tuple's own");
}

#[derive(Serialize, Deserialize)]
struct Charge {
    card: Value,
    note: Value,
    token: Option<String>,
}

impl Task for Charge {
    const NAME: &'static str = "charge";
    const ARGS: &'static [Arg] =
        &[Arg::required("card").secret(), Arg::required("note"), Arg::optional("token").secret()];
    type Output = ();
}

#[test]
fn secrets_are_masked_whatever_their_value_is() {
    let broker = Broker::memory();
    let card = json!({"number": "4111,]}\"", "card": ["x\\", {}]});
    for token in [None, Some("t\"}, 'x': {".to_owned())] {
        let charge = Charge { card: card.clone(), note: json!("card: \"token\""), token };
        let (_, message) = broker.message(charge).build().unwrap();
        let text = message.headers.text(names::KWARGSREPR).unwrap();
        assert_eq!(text, r#"{'card': '***', 'note': 'card: "token"', 'token': '***'}"#);
        assert!(!format!("{message:?}").contains("4111"));
    }
}

#[test]
fn a_part_of_another_argument_is_no_secret_for_its_name() {
    let charge = Charge { card: json!(1), note: json!([{"card": 2}]), token: None };
    let (_, message) = Broker::memory().message(charge).build().unwrap();
    let text = message.headers.text(names::KWARGSREPR).unwrap();
    assert_eq!(text, "{'card': '***', 'note': [{'card': 2}], 'token': '***'}");
}

#[test]
fn a_secret_stays_masked_where_the_text_is_cut() {
    let charge = Charge { card: json!("4111".repeat(2000)), note: json!("n".repeat(4000)), token: Some("t".into()) };
    let (_, message) = Broker::memory().message(charge).build().unwrap();
    assert!(message.headers.text(names::KWARGSREPR).unwrap().starts_with("{'card': '***', 'note': 'nnn"));
}
