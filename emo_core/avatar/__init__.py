"""One person, learnt from minutes of film, who speaks any sound."""
