"""tls_client.py KIND URL [TIMES]: GETs the URL over TLS in one of Python's ways and prints the statuses."""
import asyncio
import http.client
import ssl
import sys
import urllib.parse

kind, url = sys.argv[1:3]
times = int(sys.argv[3]) if len(sys.argv) > 3 else 1
parts = urllib.parse.urlsplit(url)
target = f"{parts.path}?{parts.query}"
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE


def by_http_client():
    connection = http.client.HTTPSConnection(parts.hostname, parts.port, context=context)
    for _ in range(times):
        connection.request("GET", target)
        response = connection.getresponse()
        response.read()
        print(response.status)
    connection.close()


def by_requests():
    import requests
    import urllib3
    urllib3.disable_warnings()
    with requests.Session() as session:
        for _ in range(times):
            print(session.get(url, verify=False).status_code)


def by_pycurl():
    import pycurl
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.SSL_VERIFYPEER, 0)
    curl.setopt(pycurl.SSL_VERIFYHOST, 0)
    curl.setopt(pycurl.WRITEFUNCTION, lambda _: None)
    for _ in range(times):
        curl.perform()
        print(curl.getinfo(pycurl.RESPONSE_CODE))
    curl.close()


async def by_asyncio():
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=context)
    for _ in range(times):
        writer.write(f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        print(head.split()[1].decode())
    writer.close()


async def by_aiohttp():
    import aiohttp
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        for _ in range(times):
            async with session.get(url) as response:
                await response.read()
                print(response.status)


run = globals()["by_" + kind]()
if run is not None:
    asyncio.run(run)
