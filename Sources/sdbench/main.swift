print("sdbench")
