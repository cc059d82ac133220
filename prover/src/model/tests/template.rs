//! Decides that chat templates are rendered as jinja2 renders them, to the byte, or refused by name; and that whatever
//! a template does, it ends.

use super::*;
use crate::model::Now;

/// A template with what jinja2 makes of it; nothing if it refuses it.
#[derive(Debug)]
struct Case {
    template: String,
    messages: Vec<Message>,
    add: bool,
    rendered: Option<String>,
    /// The name of what is in it that we refuse.
    refused: Option<String>,
}

/// The cases that `tools/templates.py` has written.
fn cases(json: &str) -> Vec<Case> {
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    let text = |value: &serde_json::Value| value.as_str().map(str::to_string);
    let message = |message: &serde_json::Value| Message {
        role: text(&message["role"]).unwrap(),
        content: text(&message["content"]).unwrap(),
    };
    let chats = json["chats"].as_array().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/model/tests/templates");
    let file = |name: &serde_json::Value| std::fs::read_to_string(folder.join(name.as_str().unwrap())).unwrap();
    let case = |case: &serde_json::Value| Case {
        template: text(&case["template"]).unwrap_or_else(|| file(&case["file"])),
        messages: chats[case["chat"].as_u64().unwrap() as usize].as_array().unwrap().iter().map(message).collect(),
        add: case["add"].as_bool().unwrap(),
        rendered: text(&case["rendered"]),
        refused: text(&case["refused"]),
    };
    json["cases"].as_array().unwrap().iter().map(case).collect()
}

fn render(template: &str, messages: &[Message], add: bool) -> Result<String, String> {
    let chat = Chat::new(template, &[("bos_token", "<s>"), ("eos_token", "</s>")]);
    let rendered = chat.render(messages, add, Now::day(2024, 7, 26).unwrap());
    rendered.map_err(|error| {
        assert!(matches!(error, ModelError::ChatTemplate { .. }));
        error.to_string()
    })
}

#[test]
fn templates_are_rendered_as_jinja2_renders_them() {
    let (mut same, mut failing, mut refused) = (0, 0, 0);
    for case in cases(include_str!("templates/rendered.json")) {
        let ours = render(&case.template, &case.messages, case.add);
        match (&case.refused, &case.rendered) {
            (Some(name), _) => {
                refused += 1;
                assert!(ours.as_ref().is_err_and(|error| error.contains(name)), "{case:#?}\n{ours:?}");
            }
            (None, Some(rendered)) => {
                same += 1;
                assert_eq!(ours.as_ref(), Ok(rendered), "{}", case.template);
            }
            (None, None) => {
                failing += 1;
                assert!(ours.is_err(), "{case:#?}\n{ours:?}");
            }
        }
    }
    assert!(same > 200 && failing > 20 && refused > 20, "{same} {failing} {refused}");
}

/// What is rendered is what jinja2 renders; what is not is more than jinja2 refuses.
#[test]
#[ignore = "makes jinja2 render 4,000 templates"]
fn random_templates_are_rendered_as_jinja2_renders_them_or_not_at_all() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = |arguments: &[&str]| {
        let run = std::process::Command::new(root.join("tools/python.sh")).args(arguments).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    };
    python(&["-m", "pip", "install", "--quiet", "jinja2==3.1.6"]);
    let tool = root.join("tools/templates.py");
    let (mut same, mut missed) = (0, 0);
    for seed in 0..4 {
        for case in cases(&python(&[tool.to_str().unwrap(), "--random", &seed.to_string(), "1000"])) {
            match (render(&case.template, &case.messages, case.add), case.rendered) {
                (Ok(ours), rendered) => {
                    same += 1;
                    assert_eq!(Some(ours), rendered, "{}", case.template);
                }
                (Err(_), Some(_)) => missed += 1,
                (Err(_), None) => {}
            }
        }
    }
    assert!(same > 1000 && missed < same / 5, "{same} {missed}");
}

#[test]
fn a_template_sees_what_transformers_shows_it_and_no_more() {
    let messages = [Message::user("x")];
    assert_eq!(
        render("{{ tools is not none }}{{ tools is defined }}{{ documents }}", &messages, true).unwrap(),
        "FalseTrueNone"
    );
    let names =
        "{{ bos_token is defined }}{{ unk_token is defined }}{{ enable_thinking is defined }}{{ messages | length }}";
    assert_eq!(render(names, &messages, true).unwrap(), "TrueFalseFalse1");
    let says = render("{{ raise_exception('only ' ~ 'users') }}", &messages, true);
    assert!(says.unwrap_err().contains("only users"));
}

#[test]
fn special_tokens_are_written_as_the_file_writes_them() {
    let template = "{{ bos_token }}{{ eos_token }}{{ unk_token }}{{ pad_token is defined }}";
    let draft = || Draft::small().set("tokenizer.chat_template", Value::String(template.into()));
    let rendered = |draft: Draft| {
        let model = draft.load().unwrap();
        model.chat.unwrap().render(&[], true, Now::day(2024, 7, 26).unwrap()).unwrap()
    };
    assert_eq!(rendered(draft()), "<|256|><|257|>False");
    assert_eq!(rendered(draft().without("tokenizer.ggml.eos_token_id")), "<|256|>False");
    let more = draft()
        .set("tokenizer.ggml.unknown_token_id", Value::U32(97))
        .set("tokenizer.ggml.padding_token_id", Value::U32(258));
    assert_eq!(rendered(more), "<|256|><|257|>aTrue");
}

#[test]
fn control_tokens_in_a_message_become_those_tokens() {
    let template = "{% for message in messages %}{{ message.content }}{% endfor %}";
    let model = Draft::small().set("tokenizer.chat_template", Value::String(template.into())).load().unwrap();
    let tokens = model.chat_tokens(&[Message::user("a<|257|>b")]).unwrap();
    assert_eq!(tokens, [97, 257, 98]);
    assert_eq!(model.tokenizer.describe(&tokens), r#""a" [257 "<|257|>"] "b""#);
    assert!(model.tokenizer.encode_prompt("a<|257|>b").iter().all(|token| *token < 256));
}

#[test]
fn the_date_is_todays_in_a_prompt_and_fixed_in_calibration() {
    let template = "{{ strftime_now('%Y-%m-%d') }}";
    let model = Draft::small().set("tokenizer.chat_template", Value::String(template.into())).load().unwrap();
    let at = |year| model.chat_tokens_at(&[Message::user("x")], Now::day(year, 2, 29).unwrap()).unwrap();
    assert_eq!(model.tokenizer.decode(&at(2024)), "2024-02-29");
    assert_ne!(model.chat_tokens(&[Message::user("x")]).unwrap(), at(2024));
    assert!(Now::day(2023, 2, 29).is_none());
}

#[test]
fn a_template_that_cannot_be_used_is_told_before_it_is_needed() {
    let with =
        |template: &str| Draft::small().set("tokenizer.chat_template", Value::String(template.into())).load().unwrap();
    assert!(with("{{ messages[0].content }}").chat_problem().is_none());
    assert!(Draft::small().load().unwrap().chat_problem().is_none());
    let problem = with("{% block x %}{% endblock %}").chat_problem().unwrap();
    assert!(problem.to_string().contains("the tag `block` is not supported"), "{problem}");
}
