print("sdbatch")
