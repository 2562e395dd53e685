"""What a finished network withstands: measured on the LKG networks that a study has kept, without training.

settings        what can be measured, at which levels, with how many draws
draws           every random draw, paired over modes
networks        a kept network as layers and as a module: the only place that knows how a network computes
forward         many masks or many weights at once, and how many images they get right
knockout, weight_noise, corruptions, calibration, representation, latency     one measure each
measure         all of them on a group of networks of one trial number
plan            what a study still lacks
run             measures that, side by side in processes; events say how it goes
read            all files of a study (study/probe_files.py) as arrays, without torch
"""
