"""Effects of levels on a metric, and the cases to choose under limits.

The room reads records: no torch, no HTML.

values.py           a run -> a value of the metric for each measured case, with its error
dimensions.py       factors, and attributes of their levels, by which cases differ
sizes.py            a difference of responses with its interval
responses.py        weighted sums of the responses of many cases; needs numpy
contrasts.py        matched cases -> main effects and two-way interactions
linear_model.py     terms of factors -> a model by least squares; needs numpy
separation.py       terms -> shares of variance, and terms that the cases cannot separate
predictions.py      cases without a value -> predicted values
study.py            all of these, for one metric of a run
text.py             a study -> a table
as_json.py          a study -> JSON
limits.py           limits such as 600MiB -> numbers, and the cases within them
front.py            cases -> the Pareto front
recommendation.py   the choice under limits
advice_text.py      a recommendation -> a table or JSON

docs/decisions/0038 defines an effect and the truth that its interval holds.
"""
