//! A page in a browser: what its user does there, and what they see.

use std::cell::RefCell;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::devtools::DevTools;
use crate::world::PATIENCE;

/// Between two looks at a page.
const PAUSE: Duration = Duration::from_millis(20);

/// All that a page shows.
const SHOWN: &str =
    "[document.body.innerText, ...[...document.querySelectorAll('input')].map(({ value }) => value)]";

/// A page. Every argument `js` is an expression that is evaluated there.
pub(crate) struct Page {
    tools: Rc<RefCell<DevTools>>,
    session: String,
}

impl Page {
    pub(crate) fn new(tools: Rc<RefCell<DevTools>>, session: String) -> Self {
        let page = Self { tools, session };
        page.call("Page.enable", json!({}));
        page.call("Runtime.enable", json!({}));
        // As if its window were in front: only then fields have a focus.
        page.call("Emulation.setFocusEmulationEnabled", json!({"enabled": true}));
        page
    }

    #[track_caller]
    fn call(&self, method: &str, params: Value) -> Value {
        self.tools.borrow_mut().call(Some(&self.session), method, params)
    }

    pub(crate) fn open(&self, url: &str) {
        // A document of its own, also where only what is after the # differs.
        self.call("Page.navigate", json!({"url": "about:blank"}));
        self.call("Page.navigate", json!({"url": url}));
        self.wait("document.readyState === 'complete' && document.getElementById('said')");
    }

    pub(crate) fn reload(&self) {
        self.run("window.isOld = true");
        self.call("Page.reload", json!({}));
        self.wait("!window.isOld && document.readyState === 'complete'");
    }

    /// Ends its process in the middle of whatever it does.
    pub(crate) fn crash(&self) {
        self.tools.borrow_mut().send(Some(&self.session), "Page.crash", json!({}));
    }

    /// What an expression yields; a promise is waited for.
    #[track_caller]
    pub(crate) fn value(&self, js: &str) -> Value {
        let asked = json!({"expression": js, "awaitPromise": true, "returnByValue": true});
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{js}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Does something, whatever it yields.
    #[track_caller]
    pub(crate) fn run(&self, js: &str) {
        self.value(&format!("{{ {js}; null }}"));
    }

    /// Waits until an expression yields something, and returns that.
    #[track_caller]
    pub(crate) fn wait(&self, js: &str) -> Value {
        // A page that is just being replaced has nobody to ask.
        let asked = json!({"expression": format!("(() => {{ try {{ return {js} }} catch {{}} }})()"), "returnByValue": true});
        for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
            let value = self.call("Runtime.evaluate", asked.clone())["result"]["value"].clone();
            if !matches!(value, Value::Null | Value::Bool(false)) && value != "" {
                return value;
            }
            self.assert_no_faults();
            thread::sleep(PAUSE);
        }
        panic!("{js} never came true in {:#}", self.value(SHOWN));
    }

    /// Waits until the page shows what is expected.
    #[track_caller]
    pub(crate) fn wait_for(&self, js: &str, expected: &Value) {
        self.wait(&format!("JSON.stringify({js}) === JSON.stringify({expected})"));
    }

    /// Presses the button, or ticks the box, that a selector finds.
    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        self.run(&format!("document.querySelector({}).click()", json!(selector)));
    }

    /// Writes into a field instead of what is there, and stays in it.
    #[track_caller]
    pub(crate) fn write(&self, selector: &str, text: &str) {
        self.run(&format!(
            "const field = document.querySelector({}); field.focus(); field.select()",
            json!(selector)
        ));
        self.call("Input.insertText", json!({"text": text}));
    }

    /// Leaves the field.
    #[track_caller]
    pub(crate) fn leave(&self) {
        self.run("document.activeElement.blur()");
    }

    /// Nothing went wrong in any page of the browser that its code did not deal with.
    #[track_caller]
    pub(crate) fn assert_no_faults(&self) {
        assert_eq!(self.tools.borrow().faults(), [""; 0]);
    }
}
