"""An agent that comes for work over HTTP: registers, asks for some, does it, hands it back, and asks again; see remote.yaml."""
import json, os, urllib.request

API, TOKEN, ME = os.environ["SIDECAR_URL"], os.environ["JWT_TOKEN"], os.environ["AGENT_ID"]


def ask(path, body=None):
    request = urllib.request.Request(
        API + path,
        method="POST",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=90) as answer:
        return json.load(answer)


ask("/api/agents", {"capabilities": ["shout"], "limits": {"max_concurrent": 1}})
print(f"{ME} is there", flush=True)
while True:
    work = ask(f"/api/agents/{ME}/claim?timeout=30000")["work"]
    if work is None:
        continue
    print(f"{ME} has {work['id']}: {work['task']}", flush=True)
    try:
        # What takes longer than the lease says so in between; what it is told then is no failure of the work.
        ask(f"/api/work/{work['id']}/progress", {"note": "taking a breath"})
        said = work["input"]["words"].upper() + work["environment"].get("MARK", "")
        ask(f"/api/work/{work['id']}/result", {"result": said, "confidence": 0.9})
    except KeyError as missing:
        ask(f"/api/work/{work['id']}/fail", {"error": f"it was not given {missing}"})
