//! The plan as it stands in `plan.toml`: one table for each part, and only that of its own agent.

use serde::{Deserialize, Serialize};

use rlrun_agents::a2c::A2cConfig;
use rlrun_agents::dqn::DqnConfig;
use rlrun_envs::ProtocolName;
use rlrun_nn::TorsoConfig;

use super::{AgentKind, AgentPlan, EnvPlan, EvalPlan, LearnerPlan, Plan, ReplayPlan, RunPlan};

/// The keys of `plan.toml`; those of [`Plan`], with the agent taken apart.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanFile {
    agent: AgentKind,
    game: String,
    protocol: ProtocolName,
    seed: u64,
    total_steps: u64,
    env: EnvPlan,
    learner: LearnerPlan,
    torso: TorsoConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    a2c: Option<A2cConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dqn: Option<DqnConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<ReplayPlan>,
    eval: EvalPlan,
    run: RunPlan,
}

impl TryFrom<PlanFile> for Plan {
    type Error = String;

    fn try_from(file: PlanFile) -> Result<Self, String> {
        let agent = AgentPlan::new(file.agent, file.a2c, file.dqn, file.replay)
            .ok_or_else(|| format!("the tables are not those of agent = \"{}\"", file.agent))?;
        Ok(Self {
            agent,
            game: file.game,
            protocol: file.protocol,
            seed: file.seed,
            total_steps: file.total_steps,
            env: file.env,
            learner: file.learner,
            torso: file.torso,
            eval: file.eval,
            run: file.run,
        })
    }
}

impl From<Plan> for PlanFile {
    fn from(plan: Plan) -> Self {
        let agent = plan.agent.kind();
        let (a2c, dqn, replay) = match plan.agent {
            AgentPlan::A2c(a2c) => (Some(a2c), None, None),
            AgentPlan::Dqn(dqn, replay) => (None, Some(dqn), Some(replay)),
        };
        Self {
            agent,
            game: plan.game,
            protocol: plan.protocol,
            seed: plan.seed,
            total_steps: plan.total_steps,
            env: plan.env,
            learner: plan.learner,
            torso: plan.torso,
            a2c,
            dqn,
            replay,
            eval: plan.eval,
            run: plan.run,
        }
    }
}
