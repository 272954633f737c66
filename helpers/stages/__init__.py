"""Each stage of the way as one function: the command line, notebooks, the pipeline and `import vesselkit` call these.

A stage joins packages that do not know each other, and so lies above all of them: a data set is opened here, its
frames alone go to `prediction`, its ground truth to `evaluation` and `review`.
"""
