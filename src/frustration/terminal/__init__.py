"""What commands print: tables, sentences, and views of running work.

A *show* (`train`, `study`, `probe`, `cloud_status`) counts the events of one kind of run and says what they
mean: as lines, as a picture, as JSON. A *view* (`view`) prints it: JSON lines, plain lines in a pipe, or a
picture that is redrawn in a terminal. `runners.board` holds the state that the shows of trials share.
"""
