# The servers and their data, from the file that BENCHMARK_INVENTORY names: {"NAME": {…}, …}.
import json
import os

with open(os.environ["BENCHMARK_INVENTORY"]) as file:
    wapt = list(json.load(file).items())
