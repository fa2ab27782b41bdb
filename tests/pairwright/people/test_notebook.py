"""The page below a cell of a notebook: shown there, worked there, and open to nobody else."""

import httpx
import nbformat
from nbclient import NotebookClient
from people_toy import TOKEN, revised, served

from pairwright.folders.manifest import load_manifest
from pairwright.people.decisions import Decisions
from pairwright.people.queue import Rows
from pairwright.people.reviewing import Reviewing

CELLS = [
    "import pairwright as pw\npage = pw.review('run', by='ana')\npage",
    """
import json, re, urllib.request
address = re.search('src="([^"]+)"', page._repr_html_())[1]
origin = address.rsplit('/', 2)[0]
def ask(question, **fields):
    body, head = json.dumps(fields).encode(), {'Content-Type': 'application/json', 'Origin': origin}
    with urllib.request.urlopen(urllib.request.Request(f'{address}api/{question}', body, head)) as reply:
        return json.load(reply)
row = ask('pair', view='1', status='kept')['row']
ask('decide', place=row['place'], kind='accept')
print(urllib.request.urlopen(address).read().decode().count('<title>Review'))
""",
    "again = pw.review('run', by='ana')\nagain",
    "try:\n    ask('start')\nexcept OSError as error:\n    print('closed')",
]


def test_a_run_is_reviewed_in_a_notebook(tmp_path):
    folder = revised(tmp_path)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown, titles, again, closed = (cell["outputs"] for cell in notebook.cells)
    [first] = [o["data"]["text/html"] for o in shown if "data" in o]
    assert first.startswith("<iframe ")
    assert "".join(o.get("text", "") for o in titles).strip() == "1"
    [second] = [o["data"]["text/html"] for o in again if "data" in o]
    assert second != first
    assert "closed" in "".join(o.get("text", "") for o in closed), "a page opened again replaces the first"
    decisions = Decisions(folder, load_manifest(folder))
    assert [(d.who, d.kind) for d in decisions.standing("review")] == [("ana", "accept")]


def test_a_framed_page_is_for_notebooks_of_this_machine_alone(tmp_path):
    reviewing = Reviewing(Rows(revised(tmp_path)), "ana")
    with (
        served("review", reviewing.answers, framed=True) as address,
        httpx.Client(base_url=address) as client,
    ):
        reply = client.get(f"/{TOKEN}/")
        assert reply.status_code == 200
        policy = reply.headers["content-security-policy"]
        assert "frame-ancestors http://localhost:* http://127.0.0.1:* " in policy
        assert "x-frame-options" not in reply.headers
        for path in ("/", "/wrong/", "/page.js", f"/{TOKEN}x/", f"//{TOKEN}/"):
            assert client.get(path).status_code == 403, path
        asked = f"/{TOKEN}/api/start"
        assert client.post(asked, json={}).status_code == 403, "from which page?"
        assert client.post(asked, json={}, headers={"Origin": "http://localhost:8888"}).status_code == 403
        assert client.post(asked, json={}, headers={"Origin": address}).status_code == 200
        assert client.get(f"/{TOKEN}/", headers={"Host": "evil.example"}).status_code == 421
