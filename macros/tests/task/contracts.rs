use celeriac::{Broker, TaskError, message::names, task};

/// Not `Debug`, as a secret need not be.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Card(String);

#[task(name = "shop.pay", queue = "shop", output = u32)]
#[derive(Clone)]
pub(crate) struct Pay {
    /// Whose.
    pub account: u64,
    #[arg(secret)]
    pub(crate) card: Card,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[arg(default)]
    pub cents: u32,
    #[arg(secret, default = "none".into())]
    pub token: String,
}

#[task(name = "shop.open")]
pub(crate) struct Open;

#[task(name = "shop.close")]
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Close {
    pub hour: u8,
}

#[task(name = "shop.sign")]
async fn sign(who: String, #[arg(secret)] pin: Card) -> Result<(), TaskError> {
    drop((who, pin));
    Ok(())
}

fn pay() -> Pay {
    Pay { account: 1, card: Card("4111".into()), note: None, cents: 5, token: "hunter2".into() }
}

#[test]
fn a_struct_becomes_a_contract() {
    fn output<T: celeriac::Task<Output = u32>>() {}
    output::<Pay>();
    let described: Vec<_> =
        <Pay as celeriac::Task>::ARGS.iter().map(|arg| (arg.name, arg.required, arg.secret)).collect();
    assert_eq!(
        described,
        [
            ("account", true, false),
            ("card", true, true),
            ("note", false, false),
            ("cents", false, false),
            ("token", false, true)
        ]
    );
    let read: Pay = serde_json::from_str(r#"{"account": 3, "card": "4111"}"#).unwrap();
    assert_eq!((read.cents, read.token.as_str(), read.note), (0, "none", None));
    assert_eq!(Close { hour: 3 }, serde_json::from_str(r#"{"hour": 3}"#).unwrap());
    assert_eq!(<Open as celeriac::Task>::ARGS, []);
}

#[test]
fn secrets_are_masked_in_debug_and_on_the_wire() {
    assert_eq!(format!("{:?}", pay()), "Pay { account: 1, card: ***, note: None, cents: 5, token: *** }");
    assert_eq!(format!("{:?}", Sign { who: "bob".into(), pin: Card("1".into()) }), r#"Sign { who: "bob", pin: *** }"#);
    let (_, message) = Broker::memory().message(pay()).build().unwrap();
    let shown = message.headers.text(names::KWARGSREPR).unwrap();
    assert_eq!(shown, "{'account': 1, 'card': '***', 'cents': 5, 'token': '***'}");
}

#[tokio::test]
async fn a_function_with_secrets_stays_callable() {
    sign("bob".into(), Card("1".into())).await.unwrap();
}
