"""Send a study to SageMaker and get its records back."""
