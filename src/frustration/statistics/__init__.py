"""What trials show, with what certainty, and what they cannot show: arrays in, numbers out.

paired       exact sign-flip test of paired trials; t and inverted-permutation interval of the difference
joint        the same over many architectures, which share batch orders: trial numbers flip jointly
unpaired     exact rank-sum test; mean difference, Cliff's delta and probability of improvement with intervals
families     Holm, Benjamini-Hochberg, and a verdict per member: better, worse, undecided, n too small, inert
hierarchy    contrasts that share alpha, each with members of its own: one error rate for a page
sequential   alpha spending over the looks at a study that is extended
success      exact tests of success rates: McNemar's where trials are paired, Fisher's where not
chance       which architectures ever beat chance; success rate and conditional mean of a bimodal cell
equivalence  two one-sided tests within a margin
power        minimum detectable effect, and how many more trials
aggregates   interquartile mean, performance profile, probability of improvement over architectures
regimes      the training regime of an architecture by two published rule sets, and how stable the label is

Not responsible for records: the caller takes the numbers out of them, leaves failed trials out, and knows
which trials are paired. Nothing here draws a random number without a generator that the caller gave.
"""
