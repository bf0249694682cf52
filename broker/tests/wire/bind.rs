use celeriac_broker::{
    Arg, Request, Task,
    message::{BindError, Bytes},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sample::sample;

const XYZ: &[Arg] = &[Arg::required("x"), Arg::required("y"), Arg::optional("z")];

fn request(args: &Value, kwargs: &Value) -> Request {
    let mut message = sample("task-add");
    message.body = serde_json::to_vec(&json!([args, kwargs, {}])).unwrap().into();
    Request::decode(&message).unwrap()
}

fn bound(args: &Value, kwargs: &Value) -> Result<Value, BindError> {
    request(args, kwargs).bind(XYZ, false).map(Value::Object)
}

#[test]
fn arguments_bind_by_position_by_name_and_mixed() {
    let expected = json!({"x": 1, "y": 2});
    assert_eq!(bound(&json!([1, 2]), &json!({})).unwrap(), expected);
    assert_eq!(bound(&json!([]), &json!({"y": 2, "x": 1})).unwrap(), expected);
    assert_eq!(bound(&json!([1]), &json!({"y": 2})).unwrap(), expected);
    assert_eq!(bound(&json!([1, 2, 3]), &json!({})).unwrap(), json!({"x": 1, "y": 2, "z": 3}));
}

#[test]
fn what_does_not_fit_is_refused_with_the_arguments_name() {
    assert_eq!(bound(&json!([1]), &json!({})), Err(BindError::Missing("y")));
    assert_eq!(bound(&json!([1, 2]), &json!({"x": 1})), Err(BindError::Doubled("x")));
    assert_eq!(bound(&json!([1, 2]), &json!({"w": 1})), Err(BindError::Unknown("w".into())));
    assert_eq!(bound(&json!([1, 2, 3, 4]), &json!({})), Err(BindError::TooMany { given: 4, takes: 3 }));
}

#[test]
fn unknown_arguments_are_ignored_where_the_task_allows_them() {
    let request = request(&json!([1, 2, 3, 4]), &json!({"w": 5}));
    assert_eq!(Value::Object(request.bind(XYZ, true).unwrap()), json!({"x": 1, "y": 2, "z": 3}));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Rich {
    d: jiff::Timestamp,
    date: jiff::civil::Date,
    u: uuid::Uuid,
    dec: String,
    b: Bytes,
    t: (u8, u8),
}

#[test]
fn python_dates_uuids_decimals_and_bytes_are_read_by_serde_types() {
    let request = Request::decode(&sample("task-rich-types")).unwrap();
    let bound = request.bind(&[Arg::required("value")], false).unwrap();
    let rich: Rich = serde_json::from_value(bound["value"].clone()).unwrap();
    assert_eq!(rich.d, "2026-01-02T03:04:05.000006Z".parse().unwrap());
    assert_eq!(rich.date, jiff::civil::date(2026, 1, 2));
    assert_eq!(rich.u, uuid::Uuid::from_u128(5));
    assert_eq!(rich.dec, "1.5");
    assert_eq!(rich.b, Bytes(vec![0, 255]));
    assert_eq!(rich.t, (1, 2));
}

#[test]
fn python_values_are_read_at_any_depth_and_unknown_ones_stay() {
    let typed = |kind: &str, value: Value| json!({"__type__": kind, "__value__": value});
    let kwargs = json!({
        "x": [{"deep": [typed("time", json!("03:04:05"))]}],
        "y": typed("complex", json!([1, 2])),
        "z": [
            typed("base64", json!("AP8=")),
            typed("bytes", json!("text")),
            typed("uuid", json!({"hex": "no uuid"})),
            {"__type__": "date", "__value__": "2026-01-02", "more": 1},
            {"__type__": "date"},
        ],
    });
    let bound = bound(&json!([]), &kwargs).unwrap();
    assert_eq!(bound["x"], json!([{"deep": ["03:04:05"]}]));
    assert_eq!(bound["y"], kwargs["y"]);
    assert_eq!(bound["z"], kwargs["z"]);
}

#[test]
fn bytes_survive_both_ways_text_or_not() {
    for bytes in [b"plain".to_vec(), vec![0, 159, 146, 150], Vec::new()] {
        let json = serde_json::to_value(Bytes(bytes.clone())).unwrap();
        assert_eq!(serde_json::from_value::<Bytes>(json.clone()).unwrap(), Bytes(bytes.clone()), "{json}");
        assert_eq!(serde_json::from_str::<Bytes>(&json.to_string()).unwrap(), Bytes(bytes), "{json}");
    }
    assert_eq!(serde_json::from_value::<Bytes>(json!("abc")).unwrap(), Bytes(b"abc".to_vec()));
    assert!(serde_json::from_value::<Bytes>(json!({"__type__": "base64", "__value__": "!"})).is_err());
    assert!(serde_json::from_value::<Bytes>(json!({"__type__": "date", "__value__": "2026-01-02"})).is_err());
}

#[derive(Debug, Serialize, Deserialize)]
struct Login {
    name: String,
    pin: u32,
}

impl Task for Login {
    const NAME: &'static str = "login";
    const ARGS: &'static [Arg] = &[Arg::required("name"), Arg::required("pin").secret()];
    type Output = ();
}

#[test]
fn a_secret_of_the_wrong_type_is_not_quoted() {
    let bound = request(&json!(["bob", "hunter2"]), &json!({})).bind(Login::ARGS, false).unwrap();
    let text = Request::task_of::<Login>(bound).unwrap_err().to_string();
    assert!(!text.contains("hunter2"), "{text}");
}
