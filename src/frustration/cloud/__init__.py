"""Send a study to SageMaker and get its records back: all that talks to AWS, and what runs in a job.

settings, clients, account    what the user decides, connections, the account with its studies
place, plan                   where everything of a study is in S3, and which trials make up a job
packing, estimator, prices    how many jobs, for how many hours and dollars
bundle, request, launch       what a job is given, and each of them launched once
container, entry              what runs in a job
jobs, describe, status        where jobs and packs stand
download, collection, salvage results back into the store of the study
logs, costs, storage          what jobs have written, what they have cost, what is in S3
"""
