# Drives the server at /mcp with the Python SDK's client as it is: argv is the address, the token and
# the mode ("legacy" or "auto"). Prints what it saw as JSON.
import asyncio, json, sys
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

address, token, mode = sys.argv[1:]

async def main():
    http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60)
    told = []
    async def progress(*what):
        told.append(what[0])
    async with Client(streamable_http_client(address, http_client=http), mode=mode) as client:
        tools = (await client.list_tools()).tools
        agents = (await client.call_tool("list_agents", {})).structured_content
        done = await client.call_tool("run_agent", {"agentId": "guard", "message": "answer"}, progress_callback=progress)
        paused = (await client.call_tool("run_agent", {"agentId": "guard", "message": "pause"})).structured_content
        waiting = paused["pending"][0]
        vote = {"agentId": "guard", "runId": paused["runId"], "callId": waiting["callId"], "action": "APPROVE"}
        wrong = await client.call_tool("decide_call", {**vote, "argumentsHash": "f" * 64})
        decided = await client.call_tool("decide_call", {**vote, "argumentsHash": waiting["argumentsHash"]})
        print(json.dumps({
            "tools": sorted(tool.name for tool in tools),
            "agents": [agent["id"] for agent in agents["data"]],
            "answered": done.structured_content["status"],
            "progress": len(told),
            "paused": paused["status"],
            "wrong": [bool(wrong.is_error), wrong.content[0].text],
            "decided": decided.structured_content["status"],
        }))

asyncio.run(main())
