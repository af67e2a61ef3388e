//! How every number of the page is computed.

use crate::config::grouped;
use crate::report::ReportRequest;

/// The last part of the page.
pub(super) fn rules(request: &ReportRequest) -> String {
    let unfinished = if request.with_unfinished {
        "Unfinished runs count as far as they came (<code>--unfinished</code>)."
    } else {
        "Unfinished runs are drawn in broken lines and do not count."
    };
    let repeats = grouped(request.repeats as u64).replace('_', ",");
    let seed = request.seed;
    format!(
        "<h2 id=\"rules\">How the numbers are made</h2>\n<dl>\n\
         <dt>Which runs are compared</dt><dd>Runs of one protocol, game by game, at the agent steps of the shortest \
         run that counts; a shorter import is drawn only. Nothing is compared across protocols: sticky actions and \
         life loss change scores more than agents do. Runs of the same agent and torso share a curve unless settings \
         that decide the scores differ; then those settings stand in the name. {unfinished}</dd>\n\
         <dt>Agent steps</dt><dd>Decisions of the agent; on Atari 4 frames each.</dd>\n\
         <dt>Final score</dt><dd>The mean raw score of the last 100 training games that ended by then; of fewer, if \
         there were fewer. Of an SB3 import, its last <code>rollout/ep_rew_mean</code>.</dd>\n\
         <dt>Area under the curve</dt><dd>The mean over agent steps of the mean of the last 100 games, from the end of \
         the first game on. It rewards learning early.</dd>\n\
         <dt>Human-normalised</dt><dd>(score \u{2212} random) / (human \u{2212} random), with the players of Wang et \
         al. 2016 (arXiv 1511.06581, table 2). Games without a human score are left out of statistics over \
         games.</dd>\n\
         <dt>Intervals over seeds</dt><dd>95%, Student's t; of differences, Welch's. A bootstrap of three seeds would \
         be far too narrow. One seed has no interval.</dd>\n\
         <dt>Better, similar, worse</dt><dd>By the 95% interval of the difference of the mean final scores: better if \
         it is above 0, worse if it is below, similar if it holds 0. Not decided with fewer than 3 seeds on a side. \
         Each game is judged on its own; of 20 games that do not differ, one is expected to be called better or \
         worse.</dd>\n\
         <dt>Statistics over games</dt><dd>As in rliable (Agarwal et al. 2021, arXiv 2108.13264): the interquartile \
         mean leaves out the lowest and the highest quarter of all runs; median and mean are of the games' means; the \
         optimality gap is how far runs stay below 1 on average; the probability of improvement counts pairs of runs, \
         ties as half; a performance profile is the part of all runs above a score. Intervals: 95%, percentiles of \
         {repeats} resamples of the runs within each game (ChaCha8, seed {seed}).</dd>\n</dl>\n"
    )
}
