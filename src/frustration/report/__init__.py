"""From records to what a scientist can say: tables, statistics, figures, one HTML page. Never imports torch.

results    the trials of a study, or of a published trials file, as arrays
reading    from the folder of a study to results; what cannot be read is named and passed over
published  from a trials file of the original project to results
yardstick  ZeroR and the number of images of a data set
analysis   every test, effect, mask and regime, computed once; text, figures and HTML all read it
"""
