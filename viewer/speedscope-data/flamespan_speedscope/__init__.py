"""The static files of speedscope (``release/``) and its licence, as its npm package has them."""
