//! What happens while lines are written.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;
use tributary_crds::LoggingPolicySpec;

use super::NAMESPACE;
use super::check::{Check, check};
use super::receiver::Receiver;
use super::writer::{LINES_PER_SECOND, Writer, Written};
use crate::node::agent::{Agent, Program};
use crate::node::{Kubernetes, Node};
use crate::tested::Tested;

/// The columns of the table.
pub const HEADER: [&str; 9] = [
    "CASE",
    "WRITTEN",
    "ROTATIONS",
    "ARRIVED",
    "LOST",
    "DOUBLED",
    "AT MOST",
    "REORDERED",
    "SLOWEST MS",
];
/// A case cannot be shorter.
pub const LEAST: Duration = Duration::from_secs(12);
/// How long the agent is away: shorter than the node holds what is written meanwhile.
const AWAY: Duration = Duration::from_secs(3);
/// How long no line may arrive until the rest counts as lost. Longer than the longest pause between two tries.
const PATIENCE: Duration = Duration::from_secs(35);
/// How long is waited for lines too many.
const SURPLUS: Duration = Duration::from_secs(3);
/// What a kill may double: what was on its way to the backend, and what was read after the last note of a position. In seconds of lines.
const IN_FLIGHT: u64 = 3;
/// Without a backend that is away, no line may take longer, in milliseconds.
const PROMPT: i64 = 5_000;

/// A case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Rotation alone.
    Nothing,
    /// The backend is away for a third of the time; in the middle of it the agent is killed.
    Killed,
    /// The same, but the agent is asked to end.
    Stopped,
    /// A second backend is away all the time.
    OtherAway,
}

impl Case {
    /// Every case.
    pub const ALL: [Self; 4] = [Self::Nothing, Self::Killed, Self::Stopped, Self::OtherAway];

    /// As the table has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "rotation alone",
            Self::Killed => "backend away, agent killed",
            Self::Stopped => "backend away, agent stopped",
            Self::OtherAway => "another backend away",
        }
    }

    /// The most lines that may arrive twice.
    fn doubled_at_most(self) -> u64 {
        match self {
            Self::Nothing | Self::OtherAway => 0,
            Self::Killed | Self::Stopped => IN_FLIGHT * u64::from(LINES_PER_SECOND),
        }
    }

    /// Runs it on a node of its own.
    pub async fn run(
        self,
        kubernetes: &Kubernetes,
        tested: &Tested,
        duration: Duration,
        rotation: Duration,
    ) -> anyhow::Result<Outcome> {
        let node = Node::new(kubernetes).await?;
        let mut receiver = Receiver::start()?;
        let program = self.program(tested, &receiver)?;
        let pod = self.name().replace([',', ' '], "");
        let uid = kubernetes.create_pod(NAMESPACE, &pod, &BTreeMap::new()).await?;
        let log = node.path(&format!("/var/log/pods/{NAMESPACE}_{pod}_{uid}/app/0.log"));

        let mut agent = Agent::start(kubernetes, &node, &program)?;
        agent.ready(&program.config).await?;
        let writer = Writer::start(&log, duration, rotation)?;
        match self {
            Self::Nothing | Self::OtherAway => {}
            Self::Killed | Self::Stopped => {
                tokio::time::sleep(duration / 3).await;
                receiver.go_away();
                tokio::time::sleep(duration / 6).await;
                if self == Self::Killed {
                    agent.kill()?;
                } else {
                    agent.stop().await?;
                }
                tokio::time::sleep(AWAY).await;
                agent = Agent::start(kubernetes, &node, &program)?;
                tokio::time::sleep((duration / 6).saturating_sub(AWAY)).await;
                receiver.come_back()?;
            }
        }
        let written = writer.written().await?;
        settle(&receiver, written, &mut agent).await?;
        Ok(Outcome {
            case: self,
            written,
            check: check(written.lines, &receiver.arrivals()),
        })
    }

    fn program(self, tested: &Tested, receiver: &Receiver) -> anyhow::Result<Program> {
        let mut outputs = vec![json!({"name": "lines", "http": {"url": receiver.url()}})];
        if self == Self::OtherAway {
            // Nothing listens there.
            outputs.push(json!({"name": "away", "http": {"url": "http://127.0.0.1:9/lines"}}));
        }
        let spec: LoggingPolicySpec = serde_json::from_value(json!({
            "nodeAgent": {"engine": tested.engine.as_str()},
            "outputs": outputs,
        }))?;
        let pipeline = tributary_agents::compile("rotation", &spec)?;
        Ok(Program {
            binary: tested.binary.clone(),
            config: tributary_agents::render(&pipeline)?,
            secrets: BTreeMap::new(),
        })
    }
}

/// Waits until every line is there, or no more arrive.
async fn settle(receiver: &Receiver, written: Written, agent: &mut Agent) -> anyhow::Result<()> {
    let mut last_change = Instant::now();
    let mut count = 0;
    loop {
        agent.check()?;
        if receiver.count() != count {
            (count, last_change) = (receiver.count(), Instant::now());
        }
        let is_complete = check(written.lines, &receiver.arrivals()).tally.lost == 0;
        if last_change.elapsed() > if is_complete { SURPLUS } else { PATIENCE } {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What became of a case.
pub struct Outcome {
    case: Case,
    written: Written,
    check: Check,
}

impl Outcome {
    /// A row of the table.
    pub fn cells(&self) -> Vec<String> {
        let tally = self.check.tally;
        let numbers = [
            tally.written,
            self.written.rotations,
            tally.found,
            tally.lost,
            tally.doubled,
            self.case.doubled_at_most(),
            self.check.reordered,
        ];
        let mut cells = vec![self.case.name().to_owned()];
        cells.extend(numbers.map(|number| number.to_string()));
        cells.push(self.check.slowest.to_string());
        cells
    }

    /// What is wrong with it.
    pub fn complaint(&self) -> Option<String> {
        let tally = self.check.tally;
        let name = self.case.name();
        let is_late = match self.case {
            Case::Nothing | Case::OtherAway => self.check.slowest > PROMPT,
            Case::Killed | Case::Stopped => false,
        };
        if tally.lost > 0 {
            Some(format!("{name}: {} lines are lost", tally.lost))
        } else if tally.doubled > self.case.doubled_at_most() {
            Some(format!("{name}: {} lines arrived twice", tally.doubled))
        } else if is_late {
            Some(format!("{name}: a line took {} ms", self.check.slowest))
        } else {
            None
        }
    }
}
