//! What cannot be, and what to write.

use crate::engine::Engine;

/// What cannot be, and what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A sentence without its end.
    pub problem: String,
    /// What to write, as a request.
    pub remedy: String,
}

/// Something that not every engine can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// What it is, after "can": `send to s3`.
    pub what: String,
    /// Those who can.
    pub able: Vec<Engine>,
    /// What to write, besides another engine; may be empty.
    pub instead: String,
}

impl Deed {
    /// Why an engine cannot, or `None` when it can.
    pub fn refusal(&self, engine: Engine) -> Option<Refusal> {
        (!self.able.contains(&engine)).then(|| Refusal {
            problem: format!("engine {} cannot {}", engine.as_str(), self.what),
            remedy: self.remedy(),
        })
    }

    /// Who can, for those who name another one. `None` when every engine can.
    pub fn sentence(&self) -> Option<Refusal> {
        let everybody = Engine::ALL.iter().all(|engine| self.able.contains(engine));
        (!everybody).then(|| Refusal {
            problem: format!("only engine {} can {}", self.names(), self.what),
            remedy: self.remedy(),
        })
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.able.iter().map(|engine| engine.as_str()).collect();
        names.join(" or ")
    }

    fn remedy(&self) -> String {
        let mut ways = Vec::new();
        if !self.instead.is_empty() {
            ways.push(self.instead.clone());
        }
        if !self.able.is_empty() {
            ways.push(format!("engine: {}", self.names()));
        }
        format!("write {}", ways.join(", or "))
    }
}
