"""python docs/ask_a_server.py photo.jpg "Where is the red cup?": asks a served model."""

import sys

from groundrl.ask.served import ServedModel

FOLDER = "shared"  # what the server serves
URL = "http://localhost:8000/v1"

model = ServedModel.open(URL, name="grounded", folder=FOLDER)
picture, question = sys.argv[1:]
answer = model.ask(picture, question)
print(answer.parsed.answer)
for one in answer.parsed.groundings:
    print(one.label, one.box.corners)  # x1, y1, x2, y2 in pixels of the picture
