import os


def handler(event, context):
    name = event.get("name", "world")
    print(f"saying hello to {name}")
    return {"message": f"{os.environ.get('GREETING', 'Hello')}, {name}!", "request": context.aws_request_id}
