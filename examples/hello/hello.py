import os
print("Hello " + str(os.getenv("NAME", "World")))
